/*
 * control.h - one thread per worker that keeps up with what others do to the
 * store, and with corgictl.
 *
 * It follows the log of revocations (another process may have added to it:
 * corgictl, another service on the same data folder, or a worker that died
 * before it could tell), removes what is over, and answers corgictl on a
 * socket in the data folder, "control." and a number of its own for each
 * service. Whoever may connect to that socket (this user and root) may ask:
 *
 *	sync			follow the log now
 *	throttle list
 *	throttle clear all
 *	throttle clear account NAME
 *	throttle clear address ADDRESS
 *
 * One line of JSON each way: {"command": ["throttle", "clear", "all"]} and
 * {"ok": true, ...} or {"ok": false, "error": "..."}. A list has "entries",
 * each with "subject" ("account" or "address"), "name", "failures", "wait" in
 * seconds, and "from" where it is about an account from one address alone; and
 * "more", whether there are more than fit. Clearing says in "cleared" how many
 * entries went; nodes on the same server are told, and clear theirs.
 */
#ifndef CORGI_CONTROL_H
#define CORGI_CONTROL_H

/* What the sockets' names in the data folder begin with. */
#define CONTROL_SOCKET_PREFIX "control."

/* Listen on a socket of this service's own, and remove those of services that
 * have gone. Returns 0, or -1 with errno. Parent, before the fork. */
int control_listen(const char *folder) __attribute__((warn_unused_result));

/* Start the thread. Returns 0, or -1 with errno. Worker. */
int control_start(void) __attribute__((warn_unused_result));

/* End it. Worker. */
void control_stop(void);

/* Close the socket and remove its name. Parent. */
void control_close(void);

#endif
