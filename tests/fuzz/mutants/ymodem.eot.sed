# file: firmware/lib/ymodem.c
# a file may end before it is whole
s/y->n < y->size)/y->n + 500 < y->size)/
