"""Charts as inline SVG text, one chart a file.

Every chart is drawn for a given width in pixels and not scaled beyond it, so that type stays readable: the page holds a wide
and a narrow drawing and shows the one that fits. Colours and type come from the page's style sheet by class name; a chart
has `role="img"`, a title and a description, and never says anything by colour alone.
"""
