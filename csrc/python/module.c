/* scp._core: the module itself. Functions live in one file per topic. */
#define SCP_PY_MAIN
#include "args.h"

int scp_py_read_environment(void); /* base.c */
#ifdef SCP_TESTING
int scp_testing_add(PyObject *module); /* csrc/testing */
#endif

const struct scp_function *const *const scp_py_topics[] = {
    scp_py_base_functions, scp_py_match_functions,   scp_py_select_functions, scp_py_nn_functions,
    scp_py_cuda_functions, scp_py_options_functions, scp_py_train_functions,  NULL};

static int execute(PyObject *module) {
    struct scp_py_state *state = PyModule_GetState(module);
    if (PyArray_ImportNumPyAPI() < 0 || scp_py_add_types(module)) return -1;
    for (size_t i = 0; scp_py_topics[i]; i++)
        if (scp_py_add_functions(module, module, scp_py_topics[i])) return -1;
    state->infeasible = PyErr_NewExceptionWithDoc("scp.InfeasibleError",
                                                  "No set of images satisfies the constraints.",
                                                  PyExc_ValueError, NULL);
    if (!state->infeasible || PyModule_AddObjectRef(module, "InfeasibleError", state->infeasible))
        return -1;
#ifdef SCP_TESTING
    if (scp_testing_add(module)) return -1;
#endif
    return scp_py_read_environment();
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    struct scp_py_state *state = PyModule_GetState(module);
    Py_VISIT(state->infeasible);
    for (size_t i = 0; i < sizeof state->types / sizeof state->types[0]; i++)
        Py_VISIT(state->types[i]);
    return 0;
}

static int clear(PyObject *module) {
    struct scp_py_state *state = PyModule_GetState(module);
    Py_CLEAR(state->infeasible);
    for (size_t i = 0; i < sizeof state->types / sizeof state->types[0]; i++)
        Py_CLEAR(state->types[i]);
    return 0;
}

static void release(void *module) {
    clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, /* as numpy */
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "scp._core",
    .m_doc = "The C core of scp; csrc/include/scp says what the functions mean.",
    .m_size = sizeof(struct scp_py_state),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&definition);
}
