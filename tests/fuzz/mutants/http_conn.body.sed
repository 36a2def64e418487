# file: firmware/mgmtd/http_conn.c
# a body may be longer than announced
s/in.n < left ? in.n : left;/in.n;/
