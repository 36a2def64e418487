# file: firmware/consoled/menu.c
# one yes is enough for a restart
s/is_yes && c->at == AT_RESTART)/is_yes \&\& c->restart_never)/
s/c->restart_never/c->line_n > 5/
