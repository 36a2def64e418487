# file: firmware/mgmtd/json_write.c
# one character of markup is not escaped
s/c == '<' || //
