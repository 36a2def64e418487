# file: firmware/mgmtd/http_parse.c
# a known field may come twice
s/if (\*seen & (1U << f))/if (*seen \& (1U << f) \&\& f != FIELD_HOST)/
