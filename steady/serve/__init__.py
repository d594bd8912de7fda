"""Ask the trained arms: from the command line (`predict`), over HTTP (`serve`) and on the playground page."""
