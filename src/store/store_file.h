/*
 * store_file.h - the file a database lives in: making it, its mode, and what
 * the system's errors mean for a store. Knows nothing of SQLite.
 */
#ifndef CORGI_STORE_FILE_H
#define CORGI_STORE_FILE_H

#include <stdarg.h>

#include "store/store.h"

/*
 * See that path is a regular file which nobody else may read, making an empty
 * one when there is none. A file that is there is never opened: closing it
 * would drop the POSIX locks of every handle in the process. One sentence in
 * error unless STORE_OK.
 */
enum store_result store_file_prepare(const char *path,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/* See that path is a regular file with something in it, and no more. */
enum store_result store_file_check(const char *path,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/* What a value of errno means to the caller of a store. */
enum store_result store_result_of_errno(int saved);

/* Write "path: words" into error; of a long path only the end. */
void store_sentence(char error[STORE_ERROR_MAX], const char *path,
    const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));

#endif
