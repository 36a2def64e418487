# file: firmware/lib/ymodem.c
# the last block is stored whole, past the size in the header
s/size_t n = y->size - y->n < data.n ? y->size - y->n : data.n;/size_t n = data.n;/
