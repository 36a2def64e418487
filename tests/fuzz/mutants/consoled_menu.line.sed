# file: firmware/consoled/console.c
# a line is longer than its room
s/c->line_n >= line_max(c->at)/c->line_n >= line_max(c->at) + 4U/
