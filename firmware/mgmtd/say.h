/*
 * One line for the console: "luytre: webd: EVENT key=value ...".
 */
#ifndef LUYTRE_MGMT_SAY_H
#define LUYTRE_MGMT_SAY_H

#define SAY_LINE_BYTES 400

void say(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
