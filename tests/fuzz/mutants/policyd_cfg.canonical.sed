# file: firmware/policyd/cfg_print.c
# the canonical form has the ends of a port range exchanged
s/kind, s->lo, s->hi);/kind, s->hi, s->lo);/
