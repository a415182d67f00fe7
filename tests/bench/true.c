/* The program that every start is measured with: it does nothing, and static linking leaves the dynamic linker out. */
int main(void) { return 0; }
