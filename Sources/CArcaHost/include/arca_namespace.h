#ifndef ARCA_NAMESPACE_H
#define ARCA_NAMESPACE_H

// The kind of namespace that the open file `descriptor` is, one CLONE_NEW… of sched.h; the negated
// errno where it is none.
int arca_namespace_kind(int descriptor);

#endif
