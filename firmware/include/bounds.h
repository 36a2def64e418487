/*
 * Named bounds of the signed formats: every size is compared with one of these
 * before anything is copied or mapped. They are part of the format
 * (toolchain/FORMAT.manifest.md, toolchain/FORMAT.store.md), so they are no
 * build options: all boards and tools must agree on them.
 *
 * Not called limits.h: this folder is searched before the system's headers
 * and would hide <limits.h>.
 */
#ifndef LUYTRE_BOUNDS_H
#define LUYTRE_BOUNDS_H

/* Manifest text (bytes, without LF where a line is meant) */
#define MAN_SIGNED_MAX 65536    /* signed part, its empty line included */
#define MAN_LINE_MAX 1024       /* one line of the signed part */
#define MAN_SIG_LINE_MAX 2560   /* one signature line */
#define MAN_SIGS_MAX 16         /* signature lines */
#define MAN_NAME_MAX 64         /* fleet name, serial, board name */
#define MAN_FLEETS_MAX 8        /* fleets one device belongs to */
#define MAN_HEAD_OBJECTS_MAX 64 /* object lines of one head */

/* Payload (bytes), by type */
#define MAN_CONFIG_MAX (1U << 20)
#define MAN_LIST_MAX (16U << 20)
#define MAN_FIRMWARE_MAX (64U << 20)
#define MAN_CHUNK_MIN 1024
#define MAN_CHUNK_MAX (1U << 20)

/* A whole artifact file: manifest, signatures, attached payload */
#define MAN_TEXT_MAX (MAN_SIGNED_MAX + MAN_SIGS_MAX * (MAN_SIG_LINE_MAX + 1))
#define MAN_CONFIG_FILE_MAX (MAN_TEXT_MAX + 1 + MAN_CONFIG_MAX)

/* Keys and signatures (bytes, counts, bits) */
#define KEYSET_KEYS_MAX 32
#define KEYSET_ROLE_KEYS_MAX 16
#define KEYSET_CHAIN_MAX 64 /* keysets kept for replay */
#define SIG_KEY_ID_BYTES 8
#define SIG_SPKI_MAX 600  /* RSA-4096 is 550 */
#define SIG_RP_ID_MAX 128 /* WebAuthn relying party id */
#define SIG_RSA_BITS_MIN 2048
#define SIG_RSA_BITS_MAX 4096
#define SIG_BYTES_MAX 512        /* RSA-4096 */
#define SIG_AUTH_DATA_MAX 256    /* WebAuthn authenticatorData */
#define SIG_CLIENT_DATA_MAX 1024 /* WebAuthn clientDataJSON */

/* Store */
#define STORE_FLOORS_MAX 64   /* (type, scope) pairs with a floor */
#define STORE_INDEX_MAX 32768 /* bytes of the index file */

#endif
