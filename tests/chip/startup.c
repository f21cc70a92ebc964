/* What runs before main: memory as C expects it, and the unit for floating point switched on. */

extern unsigned int loaded, data_start, data_end, bss_start, bss_end, stack_top;
extern void initialise_monitor_handles(void);
extern int main(void);
extern void exit(int);

void reset(void)
{
    unsigned int *from = &loaded;
    for (unsigned int *to = &data_start; to < &data_end; ++to)
        *to = *from++;
    for (unsigned int *to = &bss_start; to < &bss_end; ++to)
        *to = 0;
    *(volatile unsigned int *)0xE000ED88u |= 0xFu << 20;
    initialise_monitor_handles();
    exit(main());
}

static void fault(void)
{
    exit(3);
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault,
    (void *)fault, (void *)fault, (void *)fault};
