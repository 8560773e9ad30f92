/*
 * files.h - how many files, sockets among them, this process may have open.
 */
#ifndef CORGI_FILES_H
#define CORGI_FILES_H

#include <sys/resource.h>

/*
 * Set the limit of open files of this process, and of those that it makes
 * later, to want: the soft one, up or down, and the hard one only where it is
 * lower and may be raised. Where it may not, the soft limit becomes as high as
 * the hard one. Returns the soft limit that holds now, which is want or less.
 */
rlim_t files_allow(rlim_t want);

#endif
