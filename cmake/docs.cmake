# The target `docs`, where doxygen is installed: the API as HTML, in docs/html of the build folder. A docstring that
# doxygen cannot make sense of is an error, a missing one is not.
find_package(Doxygen QUIET)
if(DOXYGEN_FOUND)
  set(DOXYGEN_OUTPUT_DIRECTORY docs)
  set(DOXYGEN_QUIET YES)
  set(DOXYGEN_WARN_IF_UNDOCUMENTED NO)
  set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
  set(DOXYGEN_EXCLUDE_SYMBOLS altmin::detail altmin::detail::*)
  doxygen_add_docs(docs include)
endif()
