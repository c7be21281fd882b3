# The target `docs`, where doxygen is installed: the site, pages and the API, in docs/html of the build folder. A
# docstring or a page that doxygen cannot make sense of is an error, a missing docstring is not. tests/docs/links.sh
# checks the links.
find_package(Doxygen 1.9.4 QUIET)
if(DOXYGEN_FOUND)
  set(DOXYGEN_OUTPUT_DIRECTORY docs)
  set(DOXYGEN_QUIET YES)
  set(DOXYGEN_WARN_IF_UNDOCUMENTED NO)
  set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
  # What is internal; and a class whose name would be found in every "Source: ...".
  set(DOXYGEN_EXCLUDE_SYMBOLS altmin::detail altmin::detail::* altmin::Source)
  set(DOXYGEN_JAVADOC_AUTOBRIEF YES) # a docstring's first sentence, which "et al." does not end
  set(DOXYGEN_INPUT_FILTER "sed -e '/[/][/][/]/s/ et al[.] / et al /' -e '/[/][/][/]/s/ et al[.]$/ et al/'")

  set(DOXYGEN_USE_MDFILE_AS_MAINPAGE docs/index.md)
  set(DOXYGEN_EXAMPLE_PATH examples)
  set(DOXYGEN_STRIP_FROM_INC_PATH include)
  set(DOXYGEN_HTML_HEADER docs/header.html)
  set(DOXYGEN_HTML_FOOTER docs/footer.html)
  set(DOXYGEN_HTML_STYLESHEET docs/style.css)
  set(DOXYGEN_LAYOUT_FILE docs/layout.xml)
  set(DOXYGEN_HTML_INDEX_NUM_ENTRIES 9999) # lists are not folded
  set(DOXYGEN_DISABLE_INDEX YES) # the header has the links
  set(DOXYGEN_SEARCHENGINE NO)
  set(DOXYGEN_HAVE_DOT NO)
  set(DOXYGEN_CLASS_GRAPH NO)
  set(DOXYGEN_VERBATIM_HEADERS NO)
  set(DOXYGEN_SHOW_FILES NO)
  set(DOXYGEN_HTML_TIMESTAMP NO)
  doxygen_add_docs(docs include docs CONTRIBUTING.md CHANGELOG.md benchmarks/README.md)
endif()
