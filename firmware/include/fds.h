/*
 * Descriptors that svcd gives a task at its start. Links between two tasks are
 * not among them: they come as PEER messages over FDS_SVCD.
 */
#ifndef LUYTRE_FDS_H
#define LUYTRE_FDS_H

#define FDS_SVCD 3   /* TASK_LINK: SEQPACKET link to svcd */
#define FDS_DEV 4    /* TASK_DEV_SOCKET: listening development socket */
#define FDS_TUN 5    /* TASK_TUN: the TUN of mgmt_net.h */
#define FDS_FOLDER 6 /* task_spec.folder, opened */
#define FDS_FILE 7   /* task_spec.file, opened to be read */
#define FDS_END 8

#endif
