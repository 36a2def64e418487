# file: firmware/mgmtd/http_parse.c
# segments may begin with a dot
s/(in.p\[i\] == '\/' || in.p\[i\] == '.')/in.p[i] == '\/'/
