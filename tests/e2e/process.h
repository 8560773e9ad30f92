/*
 * process.h - files, programs and processes, for tests. What cannot be had ends
 * the test (cr_assert_fail).
 */
#ifndef CORGI_TEST_PROCESS_H
#define CORGI_TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Longest path that the harness makes, with the closing NUL (bytes). */
#define SERVER_PATH_MAX 1024

/* Resident and proportional memory of one process (kB), 0 when unknown. */
long process_rss_kb(pid_t pid);
long process_pss_kb(pid_t pid);

/* Open file descriptors of one process, -1 when unknown. */
int process_fds(pid_t pid);

/* Those of them that are sockets. */
int process_sockets(pid_t pid);

/* Limit the open files of this process and of those it starts, so that not even
 * root may raise it again. For a child. False when that cannot be had. */
bool process_limit_files(unsigned int files);

/* The state letter of a process and its parent (may be NULL); NUL when it is
 * gone, a zombie included. */
char process_state(pid_t pid, pid_t *parent);

/* Whether a process is gone, or goes within ms milliseconds. */
bool process_gone(pid_t pid, int ms);

/* A fresh temporary folder of the test's own, and its removal with all that
 * is in it. scratch_new() returns text that scratch_free() releases. */
char *scratch_new(void);
void scratch_free(char *path);

/* Write a whole file (mode 0600), or read one (free() it; NUL-terminated;
 * NULL when it cannot be read). */
void file_write(const char *path, const void *data, size_t len);
char *file_read(const char *path, size_t *len);

/* Paths of the checkout, the module (also that of the prod flavour) and
 * corgictl. */
const char *corgi_root(void);
const char *corgi_module(void);
const char *corgi_module_prod(void);
const char *corgi_ctl(void);

/* The exit status out of a wait status, or 128 + the signal's number. */
int process_status(int status);

/* What a program did. */
struct run_result {
	int status; /* as process_status() says it */
	char *out;  /* standard output and error, NUL-terminated */
	size_t out_len;
};

/*
 * Run a program to its end with input on its standard input (NULL for none),
 * the environment given (NULL: PATH alone) and a time limit of 30 seconds.
 * Release with run_free().
 */
struct run_result run_program(const char *const *argv, const char *const *env,
    const void *input, size_t input_len);
void run_free(struct run_result *r);

/* Sleep without busy waiting, and milliseconds that never run backwards. */
void sleep_ms(int ms);
long long now_ms(void);

/* A port that was free a moment ago. */
int free_port(void);

#endif
