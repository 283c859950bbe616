/* A stand-in for EnergiBridge on Windows: its command line and its file, at a constant power of 50 W. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static double seconds(void) {
    static LARGE_INTEGER first;
    LARGE_INTEGER now, rate;
    QueryPerformanceFrequency(&rate);
    QueryPerformanceCounter(&now);
    if (!first.QuadPart) first = now;
    return (double)(now.QuadPart - first.QuadPart) / (double)rate.QuadPart;
}

static unsigned long long unix_ms(void) {
    FILETIME t;
    GetSystemTimeAsFileTime(&t);
    return ((((unsigned long long)t.dwHighDateTime) << 32 | t.dwLowDateTime) - 116444736000000000ULL) / 10000;
}

static volatile LONG stopped;

static BOOL WINAPI stop(DWORD event) {
    (void)event;
    InterlockedExchange(&stopped, 1);
    return TRUE;
}

static void row(FILE *out) {
    fprintf(out, "0,%llu,%f,%f\n", unix_ms(), 1000 + 50 * seconds(), 42.0);
    fflush(out);
}

int main(int argc, char **argv) {
    const char *output = NULL;
    char line[8192] = "";
    int at = 1, interval = 200;
    const char *fault = getenv("STAND_IN_FAULT");
    for (; at < argc && strcmp(argv[at], "--"); at++) {
        if (!strcmp(argv[at], "--version")) return puts("energibridge 0.0.7") < 0;
        if (!strcmp(argv[at], "-o") && at + 1 < argc) output = argv[++at];
        else if (!strcmp(argv[at], "-i") && at + 1 < argc) interval = atoi(argv[++at]);
    }
    if (fault) {
        fprintf(stderr, "thread 'main' panicked at src\\cpu\\msr\\windows.rs:37:13:\n%s\n", fault);
        return 101;
    }
    for (at++; at < argc; at++) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, "\"%s\" ", argv[at]);
    }
    SetConsoleCtrlHandler(stop, TRUE);
    FILE *out = output ? fopen(output, "w") : stdout;
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION child;
    if (!out || !CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) {
        fprintf(stderr, "Failed to execute command: %lu\n", GetLastError());
        return 1;
    }
    fputs("Delta,Time,CPU_ENERGY (J),CPU_USAGE_0\n", out);
    row(out);
    DWORD status = STILL_ACTIVE;
    while (WaitForSingleObject(child.hProcess, interval) == WAIT_TIMEOUT && !stopped) row(out);
    if (stopped) TerminateProcess(child.hProcess, 1);
    row(out);
    GetExitCodeProcess(child.hProcess, &status);
    return stopped ? 1 : (int)status;
}
