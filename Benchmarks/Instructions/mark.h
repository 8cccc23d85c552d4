// The mark: nopl 0x41435241(%rax,%rax,1), which does nothing.
#define MARK_BYTES 0x0f, 0x1f, 0x84, 0x00, 0x41, 0x52, 0x43, 0x41
#define MARK_TEXT(...) #__VA_ARGS__
#define MARK_DIRECTIVE(...) MARK_TEXT(.byte __VA_ARGS__)
#define MARK() __asm__ volatile(MARK_DIRECTIVE(MARK_BYTES))
