# file: firmware/lib/span.c
# a taken line leaves one byte too many behind
s/in->n -= line->n + 1;/in->n -= line->n;/
