/*
 * version.h - the release this source belongs to. A build may set another,
 * for example from a tag.
 */
#ifndef CORGI_VERSION_H
#define CORGI_VERSION_H

#ifndef CORGI_VERSION
#define CORGI_VERSION "0.1.0"
#endif

#endif
