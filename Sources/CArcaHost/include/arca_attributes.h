// Extended attributes of a name, links not followed: how many bytes, or the negated errno.
#pragma once

#include <stddef.h>
#include <stdint.h>

long arca_attribute_names(const char *path, uint8_t *buffer, size_t count);
long arca_attribute(const char *path, const char *name, uint8_t *buffer, size_t count);
long arca_link_target(const char *path, uint8_t *buffer, size_t count);
