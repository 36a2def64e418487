# file: firmware/mgmtd/http_parse.c
# Transfer-Encoding is ignored
s/f == FIELD_CODING || f == FIELD_EXPECT/f == FIELD_EXPECT/
s/\*keep\[f\] = v;/if (keep[f]) *keep[f] = v;/
