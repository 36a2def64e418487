# file: firmware/consoled/transfer.c
# pasted text is longer than its room
s/c->file_max - c->file_n/c->file_max/
