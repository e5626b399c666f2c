"""HRFormer-B on COCO keypoints at 384x288; mim test writes the test-dev file for COCO's server.

The published AP on test-dev is 76.2 (paper, table 4, and authors' model zoo). The model has 43,211,777 parameters.
"""

_base_ = './td-hm_hrformer-b_coco-384x288.py'
data_root = 'data/coco/'
ann_file = 'annotations/image_info_test-dev2017.json'
test_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        bbox_file=data_root + 'person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json',
        data_prefix=dict(img='test2017/'),
    )
)
# This writes <outfile_prefix>.keypoints.json, which must be packed as the server requires.
test_evaluator = dict(
    ann_file=data_root + ann_file, format_only=True, outfile_prefix='work_dirs/person_keypoints_test-dev2017_hrformer-b'
)
