/*
 * ports.h - a port for a server that is stopped and started again.
 */
#ifndef CORGI_TEST_PORTS_H
#define CORGI_TEST_PORTS_H

/*
 * A free port below those that the kernel gives to outgoing connections:
 * nobody takes it by chance while its server is away. Every call returns
 * another one.
 */
int steady_port(void);

#endif
