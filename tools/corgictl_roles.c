#include <stdlib.h>
#include <string.h>

#include "corgictl_workspace.h"

static void sort(struct role_list *);

/* The store knows what a role is: a list of one is good when the role is. */
bool
role_list_add(struct role_list *list, const char *role, size_t len)
{
	char alone[STORE_ROLE_MAX];

	if (len < 1 || len >= sizeof(alone) ||
	    list->count == sizeof(list->items) / sizeof(list->items[0]) ||
	    memchr(role, ' ', len) != NULL || memchr(role, '\0', len) != NULL)
		return (false);
	(void)memcpy(alone, role, len);
	alone[len] = '\0';
	if (!store_roles_valid(alone))
		return (false);
	list->items[list->count] = role;
	list->lengths[list->count++] = len;
	return (true);
}

/* By the bytes, the shorter first where one begins with the other. */
static void
sort(struct role_list *l)
{
	const char *item;
	size_t i, at, len, common;
	int order;

	for (i = 1; i < l->count; i++) {
		item = l->items[i];
		len = l->lengths[i];
		for (at = i; at > 0; at--) {
			common =
			    len < l->lengths[at - 1] ? len : l->lengths[at - 1];
			order = memcmp(l->items[at - 1], item, common);
			if (order < 0 ||
			    (order == 0 && l->lengths[at - 1] <= len))
				break;
			l->items[at] = l->items[at - 1];
			l->lengths[at] = l->lengths[at - 1];
		}
		l->items[at] = item;
		l->lengths[at] = len;
	}
}

bool
role_list_text(struct role_list *l, char out[STORE_ROLES_MAX])
{
	size_t i, used = 0;

	sort(l);
	for (i = 0; i < l->count; i++) {
		if (i > 0 && l->lengths[i] == l->lengths[i - 1] &&
		    memcmp(l->items[i], l->items[i - 1], l->lengths[i]) == 0)
			continue;
		if (used + (used > 0) + l->lengths[i] >= STORE_ROLES_MAX)
			return (false);
		if (used > 0)
			out[used++] = ' ';
		(void)memcpy(out + used, l->items[i], l->lengths[i]);
		used += l->lengths[i];
	}
	out[used] = '\0';
	return (true);
}

bool
read_roles(const char *text, char out[STORE_ROLES_MAX])
{
	struct role_list list = {.count = 0};
	size_t len;
	bool good = true;

	out[0] = '\0';
	if (text == NULL || *text == '\0')
		return (true);
	for (; good; text += len + 1) {
		len = strcspn(text, ",");
		good = role_list_add(&list, text, len);
		if (text[len] == '\0')
			break;
	}
	if (good && role_list_text(&list, out))
		return (true);
	complain("roles are words of 1 to %d letters, digits and _.:- with "
		 "commas between them, %d bytes in all",
	    STORE_ROLE_MAX - 1, STORE_ROLES_MAX - 1);
	return (false);
}
