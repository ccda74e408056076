/* scp._core: threads, instruction sets, random numbers. */
#include "args.h"

#include <stdlib.h>

#include "scp/cpu.h"
#include "scp/random.h"

FUNCTION(threads, "Threads that a call may use.", VALUE("count", int64)) {
    *(size_t *)TO(count) = scp_threads();
    return SCP_OK;
}

FUNCTION(set_threads, "Change the number of threads.",
         COUNT("count", 0, 256, .note = "0: the default")) {
    if (scp_threads_set(SIZE(count)) == SCP_OK) return SCP_OK;
    scp_invalid(in->control, "set_threads", SCP_WHOLE, "must not be called in a progress callback");
    return SCP_EUNSUPPORTED;
}

static PyObject *make_isa(struct scp_args *in) {
    (void)in;
    return PyUnicode_FromString(scp_isa_name(scp_isa()));
}
MAKER(isa, "The instruction set in use.", MADE("name", make_isa, "str"))

static PyObject *make_isas(struct scp_args *in) {
    (void)in;
    PyObject *list = PyList_New(0);
    for (int i = 0; i < (int)SCP_ISA_COUNT; i++)
        if (scp_isa_available((enum scp_isa)i))
            scp_py_append(&list, PyUnicode_FromString(scp_isa_name((enum scp_isa)i)));
    return list;
}
MAKER(isas, "The instruction sets that this machine can run, the best last.",
      MADE("names", make_isas, "list[str]"))

static PyObject *complaint; /* of the environment; NULL: it is right */

/* At import, which goes on: a command line says it in one line. It names the variable, what it
 * holds and what would work. */
int scp_py_read_environment(void) {
    size_t count;
    PyObject *list = make_isas(NULL);
    const char *name = getenv("SCP_ISA");
    if (scp_threads_wish(&count) != SCP_OK)
        complaint = PyUnicode_FromFormat("SCP_NUM_THREADS must be a number from 1 to 256, got '%s'",
                                         getenv("SCP_NUM_THREADS"));
    else if (list && name && *name && scp_isa_set(name) != SCP_OK)
        complaint =
            PyUnicode_FromFormat("SCP_ISA must be one of %R on this machine, got '%s'", list, name);
    Py_XDECREF(list);
    return list && !PyErr_Occurred() ? 0 : -1;
}

int scp_py_refuse_environment(void) {
    if (complaint) PyErr_SetObject(PyExc_ValueError, complaint);
    return complaint ? -1 : 0;
}

FUNCTION(random_words, "The first words of a stream of Philox4x32-10 (scp/random.h).",
         COUNT("seed", 0, UINT64_MAX), COUNT("stream", 0, UINT64_MAX),
         COUNT("count", 0, PY_SSIZE_T_MAX / 4), OUT("words", uint32, "[count]")) {
    uint32_t *words = DATA(words);
    struct scp_rng rng;
    scp_rng_init(&rng, SIZE(seed), SIZE(stream));
    for (size_t i = 0, n = SIZE(count); i < n; i++) {
        if (i % 65536 == 65535 && scp_poll(in->control, i, n) != SCP_OK) return SCP_EINTERRUPTED;
        words[i] = scp_rng_u32(&rng);
    }
    return SCP_OK;
}

FUNCTION(random_subset, "m different numbers below n, ascending.", COUNT("seed", 0, UINT64_MAX),
         COUNT("stream", 0, UINT64_MAX), COUNT("m", 0, UINT32_MAX), COUNT("n", 0, UINT32_MAX),
         OUT("subset", uint32, "[m]")) {
    struct scp_rng rng;
    if (SIZE(m) > SIZE(n)) return scp_invalid(in->control, "m", SCP_WHOLE, "must be at most n");
    scp_rng_init(&rng, SIZE(seed), SIZE(stream));
    return scp_rng_subset(&rng, DATA(subset), (uint32_t)SIZE(m), (uint32_t)SIZE(n), in->control);
}
