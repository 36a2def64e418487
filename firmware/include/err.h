/*
 * Error codes of the whole product: what the caller can do about a failure.
 * 0 is success, every failure is negative and has one meaning.
 */
#ifndef LUYTRE_ERR_H
#define LUYTRE_ERR_H

#define ERR_TABLE(X)                                                                     \
	X(OK, 0, "ok")                                                                   \
	X(INTERNAL, -1, "internal error")                                                \
	X(SYS, -2, "system call failed")                                                 \
	X(NOMEM, -3, "out of memory")                                                    \
	X(SHORT, -4, "input ends too early")                                             \
	X(FORMAT, -5, "malformed input")                                                 \
	X(TRAILING, -6, "bytes after the end")                                           \
	X(LIMIT, -7, "over a named limit")                                               \
	X(RANGE, -8, "value out of range")                                               \
	X(EXIST, -9, "exists already")                                                   \
	X(NOENT, -10, "not found")                                                       \
	X(REFUSED, -11, "refused by policy")                                             \
	X(KERNEL, -12, "refused by the kernel")                                          \
	X(MISMATCH, -13, "kernel differs from policy")                                   \
	X(SEAL, -14, "memfd is not sealed")                                              \
	X(BUSY, -15, "busy, try again")                                                  \
	X(SIGNATURE, -16, "signature does not verify")                                   \
	X(THRESHOLD, -17, "not enough distinct signers")                                 \
	X(TYPE, -18, "wrong artifact type")                                              \
	X(SCOPE, -19, "meant for another device")                                        \
	X(KEYSET, -20, "needs another keyset")                                           \
	X(EXPIRED, -21, "expired")                                                       \
	X(ROLLBACK, -22, "serial not above the stored floor")                            \
	X(BASE, -23, "delta does not fit the active version")                            \
	X(HEAD, -24, "not the object the head names")                                    \
	X(CHUNK, -25, "payload does not match its hash")                                 \
	X(ALREADY, -26, "this serial is in force already")                               \
	X(TIME, -27, "the clock is not verified")

enum err {
#define X(name, value, text) ERR_##name = (value),
	ERR_TABLE(X)
#undef X
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Short English text of @err, never NULL. */
const char *err_text(int err);

#endif
