/* cffi lets go of the GIL around every call. Around these it does not: they take less time than that would,
 * wait for nobody, and call nothing of Python's (but the debug callback, where libcurl has something to say
 * of a value: it has the GIL then). Included by cffi's C only, before its functions. */
#define IS(name) || !__builtin_strcmp(__func__, "_cffi_f_" #name)
#define IS_BRIEF (0 IS(easy_classic) IS(easy_renew) IS(easy_insure) IS(easy_init) IS(easy_enter) IS(easy_depth) IS(easy_leave_to) IS(easy_idle) IS(easy_first) IS(easy_fetched) IS(easy_call_back) \
                  IS(easy_reset_later) IS(easy_set_again) \
                  IS(easy_note) IS(easy_note_number) IS(easy_note_text) IS(easy_note_list) IS(easy_note_post) \
                  IS(easy_info_number) IS(easy_info_real) IS(easy_info_text) \
                  IS(multi_in_use) IS(multi_added) IS(multi_results_taken))

#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS { PyThreadState *let_go = IS_BRIEF ? NULL : PyEval_SaveThread();
#define Py_END_ALLOW_THREADS if(let_go) PyEval_RestoreThread(let_go); }
