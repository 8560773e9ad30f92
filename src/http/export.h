/*
 * export.h - what kore.conf and Kore itself may find in the module by name.
 * Everything else is hidden, so that no name of ours can meet one of Kore's
 * or of a library.
 */
#ifndef CORGI_EXPORT_H
#define CORGI_EXPORT_H

#define CORGI_EXPORT __attribute__((visibility("default")))

#endif
