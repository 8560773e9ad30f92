/*
 * control.h - one thread per worker that keeps up with what others do to the
 * store, and with corgictl.
 *
 * It follows the log of revocations (another process may have added to it:
 * corgictl, or a worker that died before it could tell), removes what is over,
 * and answers corgictl on a socket in the data folder, "control". Whoever may
 * connect to that socket (this user and root) may ask:
 *
 *	sync			follow the log now
 *	throttle list
 *	throttle clear all | account NAME | address ADDRESS
 *
 * One line of JSON each way: {"command": ["throttle", "clear", "all"]} and
 * {"ok": true, ...} or {"ok": false, "error": "..."}.
 */
#ifndef CORGI_CONTROL_H
#define CORGI_CONTROL_H

/* The socket's name in the data folder. */
#define CONTROL_SOCKET "control"

/* Listen on the socket. Returns 0, or -1 with errno: another service uses the
 * data folder (EADDRINUSE), or it cannot be made. Parent, before the fork. */
int control_listen(const char *folder) __attribute__((warn_unused_result));

/* Start the thread. Returns 0, or -1 with errno. Worker. */
int control_start(void) __attribute__((warn_unused_result));

/* End it. Worker. */
void control_stop(void);

/* Close the socket and remove its name. Parent. */
void control_close(void);

#endif
