// A workload that comes to the mark at once.
#include "mark.h"

int main(void) {
  MARK();
  return 0;
}
