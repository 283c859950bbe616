/* Runs a command in a process group of its own, and sends it Ctrl-Break after so many milliseconds:
   ctrl_break.exe MILLISECONDS COMMAND... Its status is the command's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

int main(int argc, char **argv) {
    char line[8192] = "";
    for (int at = 2; at < argc; at++) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, "\"%s\" ", argv[at]);
    }
    AllocConsole();
    STARTUPINFOA start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    PROCESS_INFORMATION child;
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, CREATE_NEW_PROCESS_GROUP, NULL, NULL, &start, &child)) {
        fprintf(stderr, "cannot start: %lu\n", GetLastError());
        return 97;
    }
    DWORD status = 98;
    if (WaitForSingleObject(child.hProcess, atoi(argv[1])) == WAIT_TIMEOUT
        && !GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.dwProcessId))
        fprintf(stderr, "cannot send: %lu\n", GetLastError());
    if (WaitForSingleObject(child.hProcess, 60000) == WAIT_TIMEOUT) return 99;
    GetExitCodeProcess(child.hProcess, &status);
    return (int)status;
}
