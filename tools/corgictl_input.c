#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "corgictl.h"

/* Signals that end or stop the program while the echo is off. */
static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

#define WATCHED (sizeof(watched) / sizeof(watched[0]))

/* The signal that interrupted the reading; set by the handler alone. */
static volatile sig_atomic_t caught;

static void on_signal(int);
static ssize_t read_line(char *, size_t, const sigset_t *);
static ssize_t read_hidden(const char *, char *, size_t);
static ssize_t prompt_hidden(const char *, char *, size_t);
static int take_password(const char *, const char *, ssize_t, struct secret *);

static void
on_signal(int number)
{
	caught = number;
}

/*
 * Read standard input to the end of a line, which is not stored, byte by byte
 * so as to take no more than that. Where signals are blocked, signals is the
 * mask to wait under. Returns the length, at most size; -1 when the reading
 * failed or a signal came.
 */
static ssize_t
read_line(char *out, size_t size, const sigset_t *signals)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	size_t len = 0;
	ssize_t got;
	char c;

	for (;;) {
		got = signals == NULL ? 1 : ppoll(&input, 1, NULL, signals);
		if (got != -1)
			got = read(STDIN_FILENO, &c, 1);
		if (got == -1 && errno == EINTR && caught == 0)
			continue;
		if (got == -1)
			return (-1);
		if (got == 0 || c == '\n')
			return ((ssize_t)len);
		if (len < size)
			out[len++] = c;
	}
}

/*
 * Read a line from the terminal without echo. Whatever signal comes, the
 * terminal is put back before the signal takes effect; a stop begins the line
 * anew when the program goes on. The signals are blocked but for the waiting,
 * or one that comes just before it would be noticed only after the next key.
 */
static ssize_t
read_hidden(const char *prompt, char *out, size_t size)
{
	struct sigaction action = {.sa_handler = on_signal}, saved[WATCHED];
	struct termios terminal, hidden;
	sigset_t blocked, before;
	ssize_t len;
	size_t i;

	caught = 0;
	if (tcgetattr(STDIN_FILENO, &terminal) == -1)
		return (-1);
	hidden = terminal;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	(void)sigemptyset(&blocked);
	for (i = 0; i < WATCHED; i++)
		(void)sigaddset(&blocked, watched[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before);
	for (i = 0; i < WATCHED; i++)
		(void)sigaction(watched[i], &action, &saved[i]);
	len = -1;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0) {
		fprintf(stderr, "%s", prompt);
		len = read_line(out, size, &before);
	}
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
	fputc('\n', stderr);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	for (i = 0; i < WATCHED; i++)
		(void)sigaction(watched[i], &saved[i], NULL);
	if (caught != 0)
		(void)raise(caught);
	return (len);
}

static ssize_t
prompt_hidden(const char *prompt, char *out, size_t size)
{
	ssize_t len;

	do
		len = read_hidden(prompt, out, size);
	while (len == -1 && caught == SIGTSTP);
	return (len);
}

/* Check a password as it was read and keep it. */
static int
take_password(
    const char *name, const char *text, ssize_t len, struct secret *password)
{
	enum password_fault fault = PASSWORD_TOO_LONG;

	if (len == -1) {
		complain("the password cannot be read");
		return (-1);
	}
	if (len == 0) {
		complain("the password is empty");
		return (-1);
	}
	if (len <= PASSWORD_MAX)
		fault = password_check(text, (size_t)len, name, strlen(name));
	if (fault != PASSWORD_ALLOWED) {
		complain("this password is not taken: %s",
		    password_fault_text(fault));
		return (-1);
	}
	if (secret_set(password, text, (size_t)len) == -1) {
		complain("out of memory");
		return (-1);
	}
	return (0);
}

int
read_password(const char *name, struct secret *password)
{
	char first[PASSWORD_MAX + 1], second[PASSWORD_MAX + 1];
	ssize_t len, again;
	int result = -1;

	if (!isatty(STDIN_FILENO)) {
		caught = 0;
		len = read_line(first, sizeof(first), NULL);
		result = take_password(name, first, len, password);
		goto done;
	}
	len = prompt_hidden("Password: ", first, sizeof(first));
	if (len == -1) {
		complain("the password cannot be read");
		goto done;
	}
	again = prompt_hidden("Once more: ", second, sizeof(second));
	if (again == -1)
		complain("the password cannot be read");
	else if (!secret_equal(first, (size_t)len, second, (size_t)again))
		complain("the two passwords differ");
	else
		result = take_password(name, first, len, password);
done:
	secret_wipe(first, sizeof(first));
	secret_wipe(second, sizeof(second));
	return (result);
}

bool
confirm(const char *question)
{
	char answer[8] = {0};

	caught = 0;
	fprintf(stderr, "%s [y/N] ", question);
	if (read_line(answer, sizeof(answer) - 1, NULL) == -1)
		return (false);
	return (strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0);
}

int
read_input(size_t max, struct secret *text)
{
	size_t len = 0;
	ssize_t got = 0;
	int result = -1;
	char *buffer;

	if ((buffer = malloc(max + 1)) == NULL) {
		complain("out of memory");
		return (-1);
	}
	while (len <= max) {
		got = read(STDIN_FILENO, buffer + len, max + 1 - len);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	if (got == -1)
		complain("standard input: %s", strerror(errno));
	else if (len > max)
		complain("standard input is longer than %zu bytes", max);
	else if (secret_set(text, buffer, len) == -1)
		complain("out of memory");
	else
		result = 0;
	secret_free_mem(buffer, max + 1);
	return (result);
}
