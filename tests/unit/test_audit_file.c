/*
 * The file of the audit log: whose it is, how it is rotated, many writers at
 * once, and a disk that is full.
 */
#include "audit_kit.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define THREADS   4
#define PROCESSES 4
#define EVENTS    150 /* of each thread */

/* Longest wait for what has to come (milliseconds). */
#define PATIENCE_MS 20000

/* A place beside the log. */
static char other_path[PATH_MAX + 16];

/* What was complained of. */
static int complaints;
static char complaint[LOG_LINE_MAX];

/* Which event of which writer has been seen. */
static bool seen[PROCESSES * THREADS][EVENTS];

static void set_up(void);
static void keep_complaint(enum log_level, const char *, void *);
static void expect_refused(int);
static void *write_many(void *);
static void write_from_threads(int);
static pid_t start_writer(int);
static void reap(pid_t);
static void tick_off(const jdoc *, void *);
static void room_for(rlim_t);
static size_t size_of(const char *);
static void cut_a_line(void);
static void expect_fragment_then(size_t);

TestSuite(audit_file, .init = set_up, .fini = audit_tear_down, .timeout = 60);

static void
set_up(void)
{
	audit_set_up();
	(void)snprintf(other_path, sizeof(other_path), "%s/other", test_folder);
	log_open(keep_complaint, NULL, LOG_LEVEL_DEBUG);
}

static void
keep_complaint(enum log_level level, const char *line, void *ctx)
{
	(void)ctx;
	complaints += level == LOG_LEVEL_ERR;
	(void)snprintf(complaint, sizeof(complaint), "%s", line);
}

static size_t
size_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0, "%s", path);
	return ((size_t)st.st_size);
}

Test(audit_file, off_writes_nothing)
{
	cr_expect_eq(audit_open("off"), 0);
	cr_expect_eq(write_login("cosmo"), 0);
	audit_close();
	cr_expect_eq(write_login("cosmo"), 0);
	cr_expect_eq(access("off", F_OK), -1);
	cr_expect_eq(complaints, 0);
	open_log();
	cr_expect_eq(write_login("cosmo"), 0);
	audit_close();
	cr_expect_eq(write_login("cosmo"), 0);
	cr_expect_eq(count_lines(log_path), 1);
}

Test(audit_file, a_dash_is_standard_output_which_stays_open)
{
	int kept, fd, written;

	(void)fflush(stdout);
	cr_assert_neq(kept = dup(STDOUT_FILENO), -1);
	fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	cr_assert_neq(fd, -1);
	cr_assert_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	written = audit_open("-");
	if (written == 0)
		written = write_login("cosmo");
	audit_close();
	audit_close();
	if (written == 0 && audit_open("-") == 0)
		written = write_login("cosmo");
	cr_assert_eq(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
	cr_expect_eq(written, 0);
	cr_expect_eq(count_lines(log_path), 2);
	cr_expect_eq(access("-", F_OK), -1);
}

Test(audit_file, it_is_for_its_owner_alone)
{
	(void)umask(0);
	open_log();
	cr_expect_eq(mode_of(log_path), 0600);
	cr_expect_eq(write_login("cosmo"), 0);
	cr_assert_eq(unlink(log_path), 0);
	cr_expect_eq(write_login("cosmo"), 0);
	cr_expect_eq(mode_of(log_path), 0600, "also after a rotation");
}

Test(audit_file, one_that_is_there_is_written_on)
{
	open_log();
	cr_expect_eq(write_login("one"), 0);
	audit_close();
	open_log();
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(count_lines(log_path), 2);
}

Test(audit_file, no_program_that_is_started_inherits_it)
{
	int fd, flags, open_ones = 0;

	open_log();
	for (fd = 3; fd < 100; fd++) {
		struct stat st, log;

		cr_assert_eq(stat(log_path, &log), 0);
		if (fstat(fd, &st) != 0 || st.st_ino != log.st_ino)
			continue;
		open_ones++;
		cr_assert_neq(flags = fcntl(fd, F_GETFD), -1);
		cr_expect(flags & FD_CLOEXEC);
	}
	cr_expect_eq(open_ones, 1);
}

static void
expect_refused(int error)
{
	errno = 0;
	cr_expect_eq(audit_open(log_path), -1);
	cr_expect_eq(errno, error, "%m");
}

/* Whoever may write the folder could have events appended to any file. */
Test(audit_file, a_link_is_not_followed)
{
	write_file(other_path, "mine\n", 5);
	cr_assert_eq(symlink(other_path, log_path), 0);
	expect_refused(ELOOP);
	cr_expect_eq(size_of(other_path), 5);
	cr_assert_eq(unlink(other_path), 0);
	expect_refused(ELOOP);
	cr_expect_eq(access(other_path, F_OK), -1);
	cr_assert_eq(unlink(log_path), 0);
	open_log();
}

Test(audit_file, what_is_no_file_is_refused_at_once)
{
	cr_assert_eq(mkdir(log_path, 0700), 0);
	expect_refused(EISDIR);
	cr_assert_eq(rmdir(log_path), 0);
	cr_assert_eq(mkfifo(log_path, 0600), 0);
	expect_refused(EINVAL);
	cr_assert_eq(unlink(log_path), 0);
	open_log();
	cr_expect_eq(audit_open("/nonexistent/x/audit.log"), -1);
	cr_expect_eq(errno, ENOENT);
	cr_expect_eq(audit_open(""), -1);
	cr_expect_eq(complaints, 0);
}

Test(audit_file, it_follows_a_rotation_by_rename)
{
	open_log();
	cr_expect_eq(write_login("one"), 0);
	cr_assert_eq(rename(log_path, other_path), 0);
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(write_login("three"), 0);
	cr_expect_eq(count_lines(other_path), 1);
	cr_expect_eq(count_lines(log_path), 2);

	/* Another file stands there already. */
	cr_assert_eq(rename(log_path, other_path), 0);
	write_file(log_path, "", 0);
	cr_expect_eq(write_login("four"), 0);
	cr_expect_eq(count_lines(other_path), 2);
	cr_expect_eq(count_lines(log_path), 1);
}

Test(audit_file, it_follows_a_removal)
{
	open_log();
	cr_expect_eq(write_login("one"), 0);
	cr_assert_eq(unlink(log_path), 0);
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(count_lines(log_path), 1);
}

Test(audit_file, it_goes_on_at_the_end_after_a_copy_and_a_cut)
{
	open_log();
	cr_expect_eq(write_login("one"), 0);
	cr_expect_eq(write_login("two"), 0);
	cr_assert_eq(truncate(log_path, 0), 0);
	cr_expect_eq(write_login("three"), 0);
	cr_expect_eq(count_lines(log_path), 1);
}

Test(audit_file, a_link_in_its_place_loses_lines_not_another_file)
{
	open_log();
	write_file(other_path, "mine\n", 5);
	cr_assert_eq(unlink(log_path), 0);
	cr_assert_eq(symlink(other_path, log_path), 0);
	cr_expect_eq(write_login("one"), -1);
	cr_expect_eq(size_of(other_path), 5);
	cr_expect_eq(complaints, 1);
	cr_assert_eq(unlink(log_path), 0);
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(count_lines(log_path), 1);
	cr_expect_eq(complaints, 1);
}

/* EVENTS lines of one writer, whose number is in ctx. */
static void *
write_many(void *ctx)
{
	struct audit_event event = {.kind = AUDIT_REFRESH};
	char subject[32], session[2000];
	int writer = *(int *)ctx, i;
	intptr_t failed = 0;

	event.subject = subject;
	event.session = session;
	memset(session, 'a' + writer % 26, sizeof(session) - 1);
	for (i = 0; i < EVENTS; i++) {
		event.subject_len = (size_t)snprintf(
		    subject, sizeof(subject), "%d %d", writer, i);
		session[sizeof(session) - 1 - (size_t)i] = '\0';
		failed += audit_write(&event) != 0;
	}
	return ((void *)failed);
}

static void
write_from_threads(int process)
{
	pthread_t threads[THREADS];
	int numbers[THREADS], i;
	void *failed;

	for (i = 0; i < THREADS; i++) {
		numbers[i] = process * THREADS + i;
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, write_many, &numbers[i]),
		    0);
	}
	for (i = 0; i < THREADS; i++) {
		cr_assert_eq(pthread_join(threads[i], &failed), 0);
		cr_assert_null(failed);
	}
}

static void
tick_off(const jdoc *line, void *ctx)
{
	const char *subject;
	int writer, number;

	(void)ctx;
	subject = jdoc_string(jdoc_member(line, "subject"), NULL);
	cr_assert_not_null(subject);
	cr_assert_eq(sscanf(subject, "%d %d", &writer, &number), 2);
	cr_assert(writer >= 0 && writer < PROCESSES * THREADS);
	cr_assert(number >= 0 && number < EVENTS);
	cr_assert_not(seen[writer][number], "%s twice", subject);
	seen[writer][number] = true;
}

Test(audit_file, threads_do_not_mix_their_lines)
{
	open_log();
	write_from_threads(0);
	cr_expect_eq(each_line(log_path, tick_off, NULL), THREADS * EVENTS);
}

static pid_t
start_writer(int process)
{
	pid_t child = fork();

	cr_assert_neq(child, -1);
	if (child != 0)
		return (child);
	write_from_threads(process);
	_exit(0);
}

static void
reap(pid_t child)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Those that inherited the file and one that opened it by itself; the file is
 * rotated while they write. */
Test(audit_file, processes_and_rotations_lose_no_line)
{
	char rotated[4][PATH_MAX + 32];
	pid_t children[PROCESSES];
	size_t count = 0;
	int i;

	open_log();
	for (i = 0; i < PROCESSES - 1; i++)
		children[i] = start_writer(i);
	open_log();
	children[i] = start_writer(i);
	for (i = 0; i < 4; i++) {
		(void)snprintf(
		    rotated[i], sizeof(rotated[i]), "%s.%d", log_path, i);
		while (access(log_path, F_OK) != 0)
			(void)sched_yield();
		cr_assert_eq(rename(log_path, rotated[i]), 0);
		if (i == 0)
			write_file(log_path, "", 0);
		else
			cr_expect_eq(audit_open(log_path), 0);
	}
	for (i = 0; i < PROCESSES; i++)
		reap(children[i]);
	for (i = 0; i < 4; i++)
		count += each_line(rotated[i], tick_off, NULL);
	count += each_line(log_path, tick_off, NULL);
	cr_expect_eq(count, PROCESSES * THREADS * EVENTS);
}

/* No file may grow beyond this from now on. */
static void
room_for(rlim_t size)
{
	struct rlimit limit;

	cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size == 0 ? limit.rlim_max : size;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* One whole line, and 20 bytes of another. */
static void
cut_a_line(void)
{
	size_t len;

	cr_assert_eq(write_login("one"), 0);
	len = size_of(log_path) + 20;
	room_for(len);
	cr_assert_eq(write_login("cut"), -1);
	cr_assert_eq(size_of(log_path), len);
	cr_expect_eq(write_login("lost"), -1);
	room_for(0);
}

/* One whole line, the fragment on a line of its own, and so many more. */
static void
expect_fragment_then(size_t more)
{
	size_t len, first, rest;
	char *bytes = file_bytes(log_path, &len), *end;

	end = memchr(bytes, '\n', len);
	cr_assert_not_null(end);
	first = (size_t)(end - bytes) + 1;
	rest = len - first;
	cr_assert_gt(rest, 21);
	cr_expect_eq(strncmp(bytes + first, "{\"time\":\"20", 11), 0);
	cr_expect_eq(memchr(bytes + first, '\n', rest), bytes + first + 20,
	    "%.*s", (int)rest, bytes + first);
	memmove(bytes, bytes + first + 21, rest - 21);
	write_file(other_path, bytes, rest - 21);
	free(bytes);
	cr_expect_eq(count_lines(other_path), more);
}

Test(audit_file, a_full_disk_is_said_once_and_spoils_no_other_line)
{
	open_log();
	cut_a_line();
	cr_expect_eq(complaints, 1);
	cr_expect_not_null(strstr(complaint, "audit log"), "%s", complaint);
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(write_login("three"), 0);
	expect_fragment_then(2);
	cr_expect_eq(complaints, 1);
}

Test(audit_file, a_line_cut_by_one_process_does_not_spoil_anothers)
{
	pid_t child;

	open_log();
	cut_a_line();
	if ((child = fork()) == 0)
		_exit(write_login("child") == 0 ? 0 : 1);
	reap(child);
	cr_expect_eq(write_login("parent"), 0);
	expect_fragment_then(2);
}

Test(audit_file, a_line_cut_in_a_child_does_not_spoil_the_others)
{
	pid_t child;

	open_log();
	if ((child = fork()) == 0) {
		cut_a_line();
		_exit(0);
	}
	reap(child);
	cr_expect_eq(write_login("parent"), 0);
	if ((child = fork()) == 0)
		_exit(write_login("child") == 0 ? 0 : 1);
	reap(child);
	expect_fragment_then(2);
}

Test(audit_file, a_line_cut_before_the_start_does_not_spoil_the_first)
{
	open_log();
	cut_a_line();
	audit_close();
	open_log();
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(write_login("three"), 0);
	expect_fragment_then(2);

	audit_close();
	open_log();
	cr_expect_eq(write_login("four"), 0);
	expect_fragment_then(3);
}

Test(audit_file, a_cut_line_that_was_rotated_away_is_forgotten)
{
	open_log();
	cut_a_line();
	cr_assert_eq(rename(log_path, other_path), 0);
	cr_expect_eq(write_login("two"), 0);
	cr_expect_eq(count_lines(log_path), 1);
}

/* The number counts all that were lost since it was said last. */
Test(audit_file, it_is_said_again_after_a_second)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	int64_t begin, now;
	int lost = 0;
	char want[64];

	open_log();
	cr_assert_eq(unlink(log_path), 0);
	cr_assert_eq(mkdir(log_path, 0700), 0);
	begin = now = clock_monotonic_ms();
	cr_expect_eq(write_login("first"), -1);
	cr_expect_eq(complaints, 1);
	cr_expect_not_null(strstr(complaint, "lost: 1)"), "%s", complaint);
	while (complaints < 2 && now - begin < PATIENCE_MS) {
		cr_assert_eq(write_login("more"), -1);
		lost++;
		now = clock_monotonic_ms();
		(void)nanosleep(&pause, NULL);
	}
	cr_expect_eq(complaints, 2);
	cr_expect_geq(now - begin, 1000);
	(void)snprintf(want, sizeof(want), "lost: %d)", lost);
	cr_expect_not_null(strstr(complaint, want), "%s", complaint);
	cr_assert_eq(rmdir(log_path), 0);
	cr_expect_eq(write_login("there"), 0);
}
