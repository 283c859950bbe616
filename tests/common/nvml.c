/* A library in the place of NVIDIA's, for tests: cards of a known power whose counters move in steps.
 *
 * CARDS=150,40        watts of each card
 * CARD_STEP_MS=20     how often a counter moves
 * CARD_TELLS=1        what the power reading says, as a multiple of the truth
 * CARD_MUTE=1         the driver tells nothing of how the cards are set
 * CARD_FAULT=KIND@S   from S seconds after the start on: still, back (set to 0), gone; or at once: old (no
 *                     counter), shut (no permission), asleep (driver not loaded); of the last card only
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { fine = 0, not_started = 1, wrong = 2, unsupported = 3, denied = 4, too_small = 7, unloaded = 9, off_bus = 15 };
struct card { int number; double watts; };
static struct card all[8];
static int count, started;
static double step, tells, from, begun;
static char kind[32];

static double clock_s(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static double setting(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text ? strtod(text, 0) : otherwise;
}

static int fails(const struct card *card, const char *what) {
    return card->number == count - 1 && !strcmp(kind, what) && clock_s() - begun >= from;
}

int nvmlInit_v2(void) {
    const char *fault = getenv("CARD_FAULT"), *cards = getenv("CARDS");
    begun = begun ? begun : clock_s();
    step = setting("CARD_STEP_MS", 20) / 1e3;
    tells = setting("CARD_TELLS", 1);
    if (fault) {
        const char *at = strchr(fault, '@');
        size_t length = at ? (size_t)(at - fault) : strlen(fault);
        memcpy(kind, fault, length < sizeof kind ? length : sizeof kind - 1);
        from = at ? strtod(at + 1, 0) : 0;
    }
    if (!strcmp(kind, "asleep")) return unloaded;
    if (!strcmp(kind, "shut")) return denied;
    char *rest = (char *)(cards ? cards : "150");
    for (count = 0; count < 8 && *rest; count++) {
        all[count].number = count;
        all[count].watts = strtod(rest, &rest);
        rest += *rest == ',';
    }
    started = 1;
    return fine;
}

int nvmlShutdown(void) { return fine; }

int nvmlDeviceGetCount_v2(unsigned *cards) { return *cards = count, started ? fine : not_started; }

int nvmlDeviceGetHandleByIndex_v2(unsigned number, struct card **card) {
    if (number >= (unsigned)count) return wrong;
    *card = &all[number];
    return fine;
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    if (size < 6) return too_small;
    strcpy(text, "99.01");
    return fine;
}

int nvmlDeviceGetName(struct card *card, char *text, unsigned size) {
    (void)card;
    if (size < 10) return too_small;
    strcpy(text, "Test card");
    return fine;
}

/* How each card is set: the second and later ones are held below their limit, split, and used by others. */
static int told(unsigned *value, unsigned is) {
    return getenv("CARD_MUTE") ? unsupported : (*value = is, fine);
}

int nvmlDeviceGetEnforcedPowerLimit(struct card *card, unsigned *milliwatts) {
    return told(milliwatts, card->number ? 180500 : 250000);
}

int nvmlDeviceGetPowerManagementDefaultLimit(struct card *card, unsigned *milliwatts) {
    (void)card;
    return told(milliwatts, 250000);
}

int nvmlDeviceGetPersistenceMode(struct card *card, unsigned *on) { return told(on, !card->number); }

/* Of the processors (1) and the memory (2). */
int nvmlDeviceGetClockInfo(struct card *card, int of, unsigned *mhz) {
    (void)card;
    return told(mhz, of == 1 ? 1155 : 1593);
}

int nvmlDeviceGetMaxClockInfo(struct card *card, int of, unsigned *mhz) {
    (void)card;
    return told(mhz, of == 1 ? 1410 : 1593);
}

int nvmlDeviceGetMigMode(struct card *card, unsigned *now, unsigned *pending) {
    *pending = 0;
    return told(now, card->number > 0);
}

/* Asked for how many there are, with no room for them. */
int nvmlDeviceGetComputeRunningProcesses_v3(struct card *card, unsigned *count, void *room) {
    (void)room;
    int result = told(count, card->number ? 2 : 0);
    return result == fine && *count ? too_small : result;
}

int nvmlDeviceGetTotalEnergyConsumption(struct card *card, unsigned long long *millijoules) {
    double since = clock_s() - begun, base = 5e6;
    if (fails(card, "gone")) return off_bus;
    if (fails(card, "old")) return unsupported;
    if (fails(card, "still")) since = from;
    if (fails(card, "back")) since -= from, base = 0;
    *millijoules = base + card->watts * 1e3 * step * (unsigned long long)(since / step);
    return fine;
}

int nvmlDeviceGetPowerUsage(struct card *card, unsigned *milliwatts) {
    if (fails(card, "gone")) return off_bus;
    *milliwatts = card->watts * tells * 1e3;
    return fine;
}
