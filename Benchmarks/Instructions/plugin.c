// A plugin of QEMU's translator that counts what a guest executes and has translated until it comes
// to the mark: the instruction of mark.h, which nothing else holds.
//
// QEMU's documentation, "TCG Plugins": version 1 of the interface, as in QEMU 4.2 to 8.2, whose
// header distributions do not package. Its records go to the file that its argument `out=` names.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mark.h"

struct qemu_plugin_tb;
struct qemu_plugin_insn;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                           void (*translated)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int add, void *to,
                                              uint64_t number);

int qemu_plugin_version = 1;

// A block as it is translated: its address and length, and how many instructions went before.
struct record {
  uint64_t address, length, before;
};

static uint64_t executed;
static FILE *out;

static bool is_mark(const struct qemu_plugin_insn *insn) {
  static const unsigned char mark[] = {MARK_BYTES};
  return qemu_plugin_insn_size(insn) == sizeof mark &&
         memcmp(qemu_plugin_insn_data(insn), mark, sizeof mark) == 0;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  struct record record = {qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb), executed};
  qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &executed, record.length);
  if (!out) return;
  fwrite(&record, sizeof record, 1, out);
  for (size_t i = 0; i < record.length; i++) {
    if (!is_mark(qemu_plugin_tb_get_insn(tb, i))) continue;
    fclose(out);
    out = NULL;
    return;
  }
}

int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments) {
  (void)info;
  if (count != 1 || strncmp(arguments[0], "out=", 4)) return 1;
  out = fopen(arguments[0] + 4, "w");
  if (!out) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
