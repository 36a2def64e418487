/*
 * Plan of one zone pair's chain: shared by compile_map.c (which stage),
 * compile_cell.c (which key) and compile_mapset.c (which kernel objects).
 */
#ifndef LUYTRE_POL_COMPILE_MAP_H
#define LUYTRE_POL_COMPILE_MAP_H

#include "compile_int.h"

#define MAP_MIN 4              /* fewer rules in a map stay readable compares */
#define MAP_PASSES 4           /* planning again without the small maps */
#define MAP_SHAPES_MAX 64      /* kinds of keys that are looked at */
#define MAP_HASHES_MAX 12      /* kinds of keys that get hash maps of their own */
#define MAP_PART_CELLS_MAX 256 /* a part with more elements is compared with sets */
#define MAP_CELLS_MAX 32768    /* elements of all maps of a program */
#define MAP_RANGES_MAX 2048    /* elements of one range map: inserting is quadratic */
#define MAP_FIELDS 4           /* source, destination, protocol, port */

/* What a map's key is made of. Address lengths: 0 = the field is left out. */
struct map_shape {
	uint8_t family;   /* 4, 6; 0 = no addresses */
	uint8_t src, dst; /* hash maps: prefix length */
	bool has_proto, has_port;
	bool is_range; /* both addresses as ranges, and the port */
	size_t parts,
		last_part; /* how many have such a cell, and which was counted last */
};

/* One element: exact (hash) or inclusive ranges. */
struct map_cell {
	uint8_t lo[PROG_KEY_BYTES], hi[PROG_KEY_BYTES];
	size_t part;
};

/* A map, or one part that is compared. Stages stand in the chain in their order. */
struct map_stage {
	bool is_map;
	struct map_shape shape;
	size_t part; /* when it is no map */
	struct map_cell *cells;
	size_t count, room;
	size_t parts; /* how many parts have cells here */
	size_t last_part;
};

struct map_ports {
	uint16_t lo, hi; /* host byte order, inclusive */
};

struct map_part {
	const struct rule_part *base;
	uint8_t family, proto; /* 0 = any */
	const struct net_range *src, *dst;
	size_t src_count, dst_count; /* 0 = any */
	struct map_ports *ports;     /* malloc'd */
	size_t port_count;           /* 0 = any */
	bool is_mappable;
	bool is_leaky; /* lets some packets of its match go on: covers nothing */
	size_t after;  /* first stage in which it may stand */
	size_t last;   /* last stage in which it stands, plus 1; 0 = none */
};

struct map_plan {
	struct map_part *parts;
	size_t count;
	struct map_stage *stages;
	size_t stage_count, stage_room;
	struct map_shape shapes[MAP_SHAPES_MAX];
	size_t shape_count;
	bool is_full; /* without memory */
};

/* What one cell matches: ranges (NULL = any) and one port range or NULL. */
struct map_match {
	const struct net_range *src, *dst;
	const struct map_ports *port;
};

enum map_relation { MAP_APART, MAP_COVERED, MAP_MEET };

struct map_shape map_range_shape(const struct map_part *part);
bool map_hash_shape(const struct map_part *part, const struct map_match *m,
		    struct map_shape *s);
bool map_same_shape(const struct map_shape *a, const struct map_shape *b);
void map_mask(uint8_t *b, unsigned bytes, unsigned len);
struct map_cell map_cell(const struct map_shape *s, size_t part, uint8_t proto,
			 const struct map_match *m);
enum map_relation map_relate(const struct map_shape *s, const struct map_cell *old,
			     const struct map_cell *new);
unsigned map_fields(const struct map_shape *s, uint32_t len[MAP_FIELDS]);
void map_emit(const struct cfg *cfg, const struct map_plan *plan, struct prog *p,
	      const char *chain, struct map_state *state);

#endif
