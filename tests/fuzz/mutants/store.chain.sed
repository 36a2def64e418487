# file: firmware/lib/store.c
# one keyset more than there is room for
s/if (x->keyset_count == KEYSET_CHAIN_MAX)/if (x->keyset_count == KEYSET_CHAIN_MAX + 64)/
