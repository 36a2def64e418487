# file: firmware/mgmtd/http_parse.c
# a byte above ASCII is taken
s/c >= 0x7f)/c == 0x7f)/
