/* scp._core: the module itself. Functions live in one file per topic. */
#define SCP_PY_MAIN
#include "args.h"

#ifdef SCP_TESTING
int scp_testing_add(void); /* csrc/testing */
#endif

/* In the order of the stub. */
#define FUNCTIONS                                                                                  \
    F(threads), F(set_threads), F(isa), F(isas), F(random_words), F(random_subset), F(surf),       \
        F(gradient_pyramid), F(pyramid_pack), F(match_queries), F(match), F(match_bytes),          \
        F(select_problem), F(select_attach), F(select_score), F(select_explain), F(select_next),   \
        F(select_greedy), F(select_swap), F(select_random), F(select_bound), F(select_exact),      \
        F(select_enumerate), F(select_above), F(zcore), F(vectors_values), F(vectors_excess),      \
        F(graph_create), F(plan_bytes), F(plan_create), F(plan_forward), F(cuda_open),             \
        F(cuda_devices), F(cuda_matcher), F(cuda_match), F(options), F(trainer_run),               \
        F(contrast_measure), F(contrast_trainer), F(refine_measure), F(refine_trainer),            \
        F(supervise_measure), F(supervise_trainer), F(vaal_measure), F(vaal_trainer),              \
        F(instances_measure), F(instances_trainer), F(crops), F(autoencode_measure),               \
        F(autoencode_trainer), F(transfer_measure), F(transfer_trainer), F(refine_vote),           \
        F(heat_peaks)

#define F(f) scp_function_##f
extern struct scp_function FUNCTIONS;
#undef F
#define F(f) &scp_function_##f
struct scp_function *const scp_py_functions[] = {FUNCTIONS, NULL};

static struct scp_py_type *const types[] = {&scp_py_queries, &scp_py_problem, &scp_py_matcher,
                                            &scp_py_graph,   &scp_py_plan,    &scp_py_trainer};

PyObject *scp_py_infeasible;

static int execute(PyObject *module) {
    if (PyArray_ImportNumPyAPI() < 0 || scp_py_add_functions(module, scp_py_functions)) return -1;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (PyModule_AddType(module, &types[i]->python)) return -1;
    if (!scp_py_infeasible) /* NULL: this is the first import */
        scp_py_infeasible = PyErr_NewExceptionWithDoc("scp.InfeasibleError",
                                                      "No set of images satisfies the constraints.",
                                                      PyExc_ValueError, NULL);
    if (!scp_py_infeasible || PyModule_AddObjectRef(module, "InfeasibleError", scp_py_infeasible))
        return -1;
#ifdef SCP_TESTING
    if (scp_testing_add()) return -1;
#endif
    return scp_py_read_environment();
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
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&definition);
}
