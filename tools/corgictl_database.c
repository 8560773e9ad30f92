/*
 * corgictl_database.c - a whole database taken to another one: what is said
 * about it. The work itself is in store/store_copy.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_progress.h"
#include "corgictl_workspace.h"
#include "store/store_copy.h"

/* Largest file with an address (bytes). */
#define ADDRESS_FILE_MAX 65536

/* A digest in hexadecimal, with the NUL. */
#define DIGEST_TEXT_MAX (2 * STORE_DIGEST_LEN + 1)

/* How long a batch may take once a signal has come (seconds). */
#define GRACE 2

/* What is said then. */
#define INTERRUPTED                                                            \
	"interrupted: the copy is not finished; it goes on when the same "     \
	"command is run again (without --restart)"

/* The signals that end a copy, and the one that ends its last batch. */
static const int watched[] = {SIGINT, SIGTERM, SIGALRM};

/* The signal that has come; set by the handler alone. */
static volatile sig_atomic_t caught;

/* What is shown while it runs. */
struct show {
	struct progress progress;
	enum copy_phase phase;
	bool begun;
};

static int read_address(
    const char *, const char *, const char *, char[CONFIG_DATABASE_MAX]);
static enum exit_code
read_addresses(const struct request *, const struct config *,
    char[CONFIG_DATABASE_MAX], char[CONFIG_DATABASE_MAX]);
static void on_signal(int);
static void watch_signals(bool);
static bool is_interrupted(void *);
static void show_progress(enum copy_phase, int64_t, int64_t, void *);
static void digest_text(const uint8_t *, char[DIGEST_TEXT_MAX]);
static void print_table(const struct store_copy *, enum copy_table);
static enum exit_code report(const struct store_copy *, enum store_result);
static enum exit_code
copy(struct workspace *, const struct request *, const char *, const char *);

/* The address as given, or from a file; a relative path is one in the data
 * folder, as with CORGI_DATABASE. 0, or -1 after a complaint, which never
 * repeats an address. */
static int
read_address(const char *given, const char *file, const char *folder,
    char out[CONFIG_DATABASE_MAX])
{
	struct secret text = {0};
	int result = -1;

	if (file == NULL) {
		result = config_database_at(given, folder, out);
	} else if (secret_read_file(file, ADDRESS_FILE_MAX, &text) == -1) {
		complain("%s: cannot be read (%s)", file,
		    errno == ENODATA ? "it is empty" : strerror(errno));
		return (-1);
	} else {
		secret_chomp(&text);
		if (strlen((const char *)text.data) == text.len)
			result = config_database_at(
			    (const char *)text.data, folder, out);
	}
	if (result == -1)
		complain("%s names no database: sqlite:PATH or "
			 "postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
		    file == NULL ? "an argument" : file);
	secret_free(&text);
	return (result);
}

static enum exit_code
read_addresses(const struct request *request, const struct config *config,
    char from[CONFIG_DATABASE_MAX], char to[CONFIG_DATABASE_MAX])
{
	const char *words[] = {request->argument, request->second};
	size_t given = 0;
	const char *first, *second;

	first = request->from_file != NULL ? NULL : words[given++];
	second = request->to_file != NULL ? NULL : words[given++];
	if ((request->from_file == NULL && first == NULL) ||
	    (request->to_file == NULL && second == NULL) ||
	    (given < 2 && words[given] != NULL)) {
		complain("FROM and TO are needed, each as an address or as a "
			 "file that holds one (--from-file, --to-file)");
		return (EXIT_USAGE);
	}
	if (read_address(first, request->from_file, config->data_dir, from) ==
		-1 ||
	    read_address(second, request->to_file, config->data_dir, to) == -1)
		return (EXIT_USAGE);
	return (EXIT_DONE);
}

/*
 * The copy ends before its next batch. A statement may wait for another for a
 * minute: when the batch does not end soon, or who sent the signal sends
 * another, the program ends here, and leaves no more behind than if it had been
 * killed.
 */
static void
on_signal(int number)
{
	static const char text[] = "\ncorgictl: " INTERRUPTED "\n";

	if (caught != 0) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(EXIT_SIGNAL + caught);
	}
	caught = number;
	(void)alarm(GRACE);
}

/* What is ignored stays ignored, as behind nohup. */
static void
watch_signals(bool on)
{
	const struct sigaction action = {
	    .sa_handler = on ? on_signal : SIG_DFL, .sa_flags = SA_RESTART};
	struct sigaction now;
	size_t i;

	for (i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (sigaction(watched[i], NULL, &now) == 0 &&
		    now.sa_handler != SIG_IGN)
			(void)sigaction(watched[i], &action, NULL);
	if (!on)
		(void)alarm(0);
}

static bool
is_interrupted(void *ctx)
{
	(void)ctx;
	return (caught != 0);
}

static void
show_progress(enum copy_phase phase, int64_t done, int64_t total, void *ctx)
{
	struct show *show = ctx;

	if (!show->begun || show->phase != phase) {
		progress_end(&show->progress);
		progress_begin(&show->progress, total,
		    phase == COPY_PHASE_ROWS ? "rows copied" : "rows compared");
		show->phase = phase;
		show->begun = true;
	}
	progress_show(&show->progress, done, (unsigned long long)done);
}

static void
digest_text(const uint8_t *digest, char out[DIGEST_TEXT_MAX])
{
	size_t i;

	for (i = 0; i < STORE_DIGEST_LEN; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void
print_table(const struct store_copy *copy, enum copy_table table)
{
	const struct copy_sum *from = &copy->sums_from[table];
	const struct copy_sum *to = &copy->sums_to[table];
	char digest[DIGEST_TEXT_MAX], highest[24] = "-";

	digest_text(from->digest, digest);
	if (copy_shapes[table].sequence != NULL)
		(void)snprintf(
		    highest, sizeof(highest), "%lld", (long long)from->counter);
	printf("%-12s %10lld %10lld %10s  %s\n", copy_shapes[table].name,
	    (long long)from->rows, (long long)to->rows, highest,
	    memcmp(from->digest, to->digest, sizeof(from->digest)) != 0
		? "DIFFERENT"
		: digest);
}

/* Both sides as they were read after the copy. */
static enum exit_code
report(const struct store_copy *copy, enum store_result result)
{
	enum copy_table table;

	if (copy->anew)
		complain("what an earlier run had copied was not what %s holds "
			 "now; it was copied anew",
		    copy->from_shown);
	else if (copy->kept > 0)
		complain("went on behind the %lld rows of an earlier run",
		    (long long)copy->kept);
	if (copy->summed) {
		printf("%-12s %10s %10s %10s  %s\n", "table", "rows", "copied",
		    "highest", "SHA-256 of the rows on both sides");
		for (table = 0; table < COPY__MAX; table++)
			print_table(copy, table);
	}
	if (copy->stopped) {
		complain(INTERRUPTED);
		return ((enum exit_code)(EXIT_SIGNAL + caught));
	}
	if (result != STORE_OK) {
		complain("%s", copy->error);
		return (EXIT_FAILED);
	}
	printf("%s holds what %s holds\n", copy->to_shown, copy->from_shown);
	return (EXIT_DONE);
}

static enum exit_code
copy(struct workspace *w, const struct request *request, const char *from,
    const char *to)
{
	const char *path = store_where_path(from);
	struct show show = {.begun = false};
	struct store_copy copy = {
	    .from = from,
	    .to = to,
	    .restart = request->restart,
	    .progress = show_progress,
	    .stop = is_interrupted,
	    .ctx = &show,
	};
	enum store_result result;
	enum exit_code code;

	if (path != NULL && access(path, F_OK) == -1) {
		complain(
		    "%s: there is no database (%s)", path, strerror(errno));
		return (EXIT_FAILED);
	}
	if (workspace_begin_audit(w) == -1)
		return (EXIT_FAILED);
	watch_signals(true);
	result = store_copy(&copy);
	watch_signals(false);
	progress_end(&show.progress);
	code = report(&copy, result);
	(void)workspace_note(w, AUDIT_ACCOUNT, "copied", NULL, NULL, code);
	return (workspace_confirm(w, false, code));
}

enum exit_code
command_database_copy(const struct request *request)
{
	char from[CONFIG_DATABASE_MAX] = "", to[CONFIG_DATABASE_MAX] = "";
	enum exit_code code;
	struct workspace w;

	if (workspace_load(&w, request) == -1)
		return (EXIT_FAILED);
	code = read_addresses(request, &w.config, from, to);
	if (code == EXIT_DONE)
		code = copy(&w, request, from, to);
	secret_wipe(from, sizeof(from));
	secret_wipe(to, sizeof(to));
	workspace_end(&w);
	return (code);
}
