/*
 * sandbox.c - what the workers may ask of the kernel beyond what Kore needs
 * itself. Kore's filter kills a process that asks for anything else.
 *
 * SQLite reads, writes and locks files at positions and syncs them; libpq talks
 * to a server; the threads of the pool are made, given a priority and ended;
 * the allocator moves memory between them.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <sched.h>

#include <kore/kore.h>
#include <kore/seccomp.h>

#include "http/export.h"

CORGI_EXPORT void kore_seccomp_hook(void);

/*
 * The flags with which glibc makes a thread: no process, no namespace. Its
 * clone3() hides them behind a pointer; glibc does without.
 */
#define THREAD_FLAGS                                                           \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |   \
	    CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |                \
	    CLONE_CHILD_CLEARTID)

/* clang-format off */
KORE_SECCOMP_FILTER("corgi",
	/* SQLite: the database, its log and its locks. */
	KORE_SYSCALL_ALLOW(pread64),
	KORE_SYSCALL_ALLOW(pwrite64),
	KORE_SYSCALL_ALLOW(fsync),
	KORE_SYSCALL_ALLOW(fdatasync),
	KORE_SYSCALL_ALLOW(ftruncate),
	KORE_SYSCALL_ALLOW(fallocate),
	KORE_SYSCALL_ALLOW(fchmod),
	KORE_SYSCALL_ALLOW(fchown),
	KORE_SYSCALL_ALLOW(newfstatat),
	/* A thread that tries is told no, rather than killed in silence. */
	KORE_SYSCALL_DENY(mknodat, EACCES),
	KORE_SYSCALL_DENY(fchmodat, EACCES),
	KORE_SYSCALL_DENY(fchownat, EACCES),

	/* libpq: connections to the database's server, the search for its
	 * address, and who is at the other end of a local one. glibc asks the
	 * kernel for the routes to several addresses and does without. */
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_UNIX),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET6),
	KORE_SYSCALL_DENY_ARG(socket, 0, AF_NETLINK, EACCES),
	KORE_SYSCALL_ALLOW(connect),
	KORE_SYSCALL_ALLOW(getsockopt),
	KORE_SYSCALL_ALLOW(getsockname),
	KORE_SYSCALL_ALLOW(getpeername),
	KORE_SYSCALL_ALLOW(sendmsg),
	KORE_SYSCALL_ALLOW(sendmmsg),
	KORE_SYSCALL_ALLOW(recvmsg),

	/* The pool of threads. */
	KORE_SYSCALL_DENY(clone3, ENOSYS),
	KORE_SYSCALL_ALLOW_ARG(clone, 0, THREAD_FLAGS),
	KORE_SYSCALL_ALLOW(set_robust_list),
	KORE_SYSCALL_ALLOW(rseq),
	KORE_SYSCALL_ALLOW(sched_getaffinity),
	KORE_SYSCALL_ALLOW(sched_setattr),
	KORE_SYSCALL_ALLOW(eventfd2),
	KORE_SYSCALL_ALLOW(mremap),

	/* The audit log, when it has been rotated away. */
	KORE_SYSCALL_ALLOW(dup3),

	/* A worker ends with its parent. */
	KORE_SYSCALL_ALLOW_ARG(prctl, 0, PR_SET_PDEATHSIG),

	/* A failed assertion ends the process by a signal that is logged. */
	KORE_SYSCALL_ALLOW(gettid),
	KORE_SYSCALL_ALLOW(tgkill),

	/* The front ends its side of a connection before it closes it. */
	KORE_SYSCALL_ALLOW(shutdown),

#if defined(__SANITIZE_ADDRESS__)
	/* What the sanitizers' runtime asks for. */
	KORE_SYSCALL_ALLOW(sched_yield),
	KORE_SYSCALL_ALLOW(getrlimit),
	KORE_SYSCALL_ALLOW(prlimit64),
	KORE_SYSCALL_ALLOW(prctl),
	KORE_SYSCALL_ALLOW(ptrace),
	KORE_SYSCALL_ALLOW(wait4),
	KORE_SYSCALL_ALLOW(getppid),
	KORE_SYSCALL_ALLOW(pipe2),
	KORE_SYSCALL_ALLOW(uname),
#endif
);
/* clang-format on */
